"""Starts and supervises the services on one machine.

``up`` brings them up and keeps them, ``control`` speaks of a running stack from anywhere else,
``doctor`` says what is wrong with this machine. The processes form one line of descent::

    jobchurn up             the guard: starts the keeper, anew where it is killed
    └─ keeper               starts the line, adopts and ends orphans, tells of what fails, stops all
       └─ supervisord       restarts what dies (library ``supervisor``)
          └─ gate → program waits for what the program needs, then becomes it

Each is told by the kernel (``setpriv --pdeathsig``) when its parent dies, and the two at the top
are handed what loses its parent (subreapers), so that nothing outlives them, whichever ends. This
module imports nothing: the gate must start fast.
"""
