"""OneLLM inside other frameworks; each module is imported by those who use it."""
