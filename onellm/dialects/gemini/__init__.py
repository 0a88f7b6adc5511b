"""generateContent and what stands around it, as Google speaks it in its two places."""
