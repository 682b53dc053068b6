"""Settings found by trial: of a painting, or of a training."""
