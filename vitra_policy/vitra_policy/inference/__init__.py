"""Running policies: their boundary, registry, replay, remote server and client, real-time chunking."""
