"""What stands between the network and Gradio: a gate, limits, sessions, and refusals in words."""
