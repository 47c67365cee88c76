"""ppolint reviews PyTorch reinforcement-learning code and scaffolds TorchRL PPO projects."""

__version__ = "0.1.0"
