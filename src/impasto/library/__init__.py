"""A user's own style pictures: what they are, what they are like, and which of them suits a photo."""
