"""Millions of pictures: a manifest, shards of it painted by whoever comes, results that are put once."""
