"""The embedded default: a drawn catalogue, a simulated user, small weights, a show of it."""
