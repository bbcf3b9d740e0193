"""What the neural pipelines run: torch, transformers and ONNX code, imported by their `_load` alone."""
