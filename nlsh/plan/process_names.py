"""What nlsh's own processes are called in lists of processes, so that who looks can tell what works from what waits."""

ZYGOTE = "nlsh-zygote"
SPARE = "nlsh-spare"  # a supervisor and its worker that have no job yet
WORKER = "nlsh-worker"  # those that have one
