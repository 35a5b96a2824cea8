"""The scripted expert that knows where the objects are."""
