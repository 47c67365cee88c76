"""What to look for, before a file is parsed, in files that put a pipeline together.

A file that builds nothing itself (`actor = make_actor(...)`, `PPO(config, actor)`) may still be the
one where all parts meet. These are calls by the names that people give such helpers and classes.
"""

from __future__ import annotations

# An environment, a collector or an agent is made, or data is collected.
COLLECTS = "re:(?i)\\b\\w*(?:env|environment|collect|collector|rollout|trainer|agent)\\w*\\("
# A policy, a loss or what holds them is made.
LEARNS = (
    "re:(?i)\\b\\w*(?:ppo|loss|actor|critic|policy|polic(?:y|ies)|agent|learner|trainer|model|models"
    "|nets?|networks?|modules?)\\w*\\("
)
