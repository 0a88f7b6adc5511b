"""Sound between a realtime session and the world: rates, WAV files, playing, microphone and speaker."""
