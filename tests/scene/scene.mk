# scenes
