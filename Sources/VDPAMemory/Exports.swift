// A user imports VDPAMemory alone: addresses, page and node policies come with it.
@_exported public import HostMemory
@_exported public import IOVAAllocator
@_exported public import VhostVDPA
