"""Who gets how much of the machine: what there is, programs that share it out at least cost, and how the kernel is made to keep to that.

Reads and arithmetic only, but for `budget`, which holds a process that nlsh itself has started. Changes to others are steps (`nlsh.steps.groups`).
"""
