"""Inference engines of the VITRA network: fast, parity, ONNX."""
