"""The process that keeps pods: started by the workspace's server, but living past a crash of it.

It plays the part that the kubelet plays under a real workspace. Two kinds run, with one protocol: an *isolated* one
is PID 1 of its own PID namespace and owns a network with a bridge, so that its end is the end of everything in it;
a *plain* one runs processes on the host's network. Standard library only. It knows nothing of projects,
applications or HTTP: argv, environment, address in; state and exit code out.
"""
