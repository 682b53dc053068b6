"""The shelf of trained models: those that come with the package, and the user's own."""
