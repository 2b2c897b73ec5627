"""What holds for every test: it changes no behaviour of what is tested."""

import os

from hypothesis import settings

# Test processes both speak gRPC and start programs. gRPC's handlers around fork abort a child that is forked
# while another thread is inside gRPC; our programs never do both, so only the tests need them off.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A property says what holds, not how fast this machine is today.
settings.register_profile("kruntimes", deadline=None)
settings.load_profile("kruntimes")
