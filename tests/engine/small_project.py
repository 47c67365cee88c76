"""Code with one finding each."""

GAE_LOOP = """\
import torch


def advantages(rewards, values, dones, gamma=0.99, lam=0.95):
    advantage = torch.zeros_like(rewards)
    last = 0.0
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * values[t + 1] * (1 - dones[t]) - values[t]
        last = delta + gamma * lam * (1 - dones[t]) * last
        advantage[t] = last
    return advantage
"""
OLD_IMPORT = "from torchrl.collectors import SyncDataCollector\n"
