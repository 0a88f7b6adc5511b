"""OneLLM inside other frameworks. Nothing here is imported unless it is asked for, nor are the frameworks."""
