"""Starts and supervises the services on one machine.

``up`` brings them up and keeps them, ``control`` speaks of a running stack from anywhere else,
``doctor`` says what is wrong with this machine. The processes form one line of descent::

    jobchurn up          the keeper: starts the line, adopts and ends orphans, stops everything
    └─ supervisord       restarts what dies (library ``supervisor``)
       └─ gate → program waits for what the program needs, then becomes it

Each is told by the kernel (``setpriv --pdeathsig``) when its parent dies, so that nothing outlives
the keeper, however it ends. This module imports nothing: the gate must start fast.
"""
