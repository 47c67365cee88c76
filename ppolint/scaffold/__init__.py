"""The generator: options, checked against each other, become a plan, and the plan a project.

`plan_project` decides everything, `render_project` makes the files' texts and `write_project` puts
them on disk, all or none. None of them imports torch.
"""
