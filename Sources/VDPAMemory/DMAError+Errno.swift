internal import Glibc

extension DMAError.Code {
    /// The C errno of a refusal that the kernel was not asked about:
    ///
    /// | code | errno | as in |
    /// | --- | --- | --- |
    /// | `invalidArgument` | EINVAL | any call |
    /// | `noSuchRegion` | ENOENT | VFIO_IOMMU_UNMAP_DMA of what is not there |
    /// | `outsideRange` | ERANGE | a number that the device's addresses cannot hold |
    /// | `overlap` | EEXIST | vhost's and VFIO's maps |
    /// | `noSpace` | ENOSPC | no hole is left |
    /// | `regionCapacity` | E2BIG | VHOST_SET_MEM_TABLE with too many regions |
    /// | `unsuitableMemory` | EFAULT | pages that cannot be pinned or mapped |
    /// | `entryLimit` | ENOSPC | VFIO_IOMMU_MAP_DMA without entries (`dma_entry_limit`) |
    /// | `lockedMemoryLimit` | ENOMEM | mlock(2), and vhost's maps |
    /// | `hostMemory` | ENOMEM | mmap(2) |
    /// | `deviceUnavailable` | EBUSY | open(2) of a device that somebody has |
    /// | `notOwner` | EPERM | any vhost ioctl of another process |
    /// | `addressSpace` | EINVAL; EBUSY where another domain has it | VHOST_VDPA_SET_GROUP_ASID |
    /// | `notSupported` | EOPNOTSUPP | vhost-vdpa's ioctls |
    /// | `deviceGone` | ENODEV | any call |
    /// | `kernelRefused` | EIO | an answer that is no errno |
    /// | `unsafeControl` | EINVAL; EBUSY where an enabled ring is in the way | |
    /// | `queuesEnabled` | EBUSY | SET_VRING_ADDR of a running device |
    /// | `closed` | EBADF | any call on what is closed |
    /// | `undoIncomplete` | EIO | a state that nobody knows |
    /// | `cancelled` | ECANCELED | aio_cancel(3) |
    ///
    /// An error that the kernel's answer led to has that errno, whatever its code.
    public var errno: Int32 {
        switch self {
        case .noSuchRegion: ENOENT
        case .outsideRange: ERANGE
        case .overlap: EEXIST
        case .noSpace, .entryLimit: ENOSPC
        case .regionCapacity: E2BIG
        case .unsuitableMemory: EFAULT
        case .lockedMemoryLimit, .hostMemory: ENOMEM
        case .deviceUnavailable, .queuesEnabled: EBUSY
        case .notOwner: EPERM
        case .notSupported: EOPNOTSUPP
        case .deviceGone: ENODEV
        case .kernelRefused, .undoIncomplete: EIO
        case .closed: EBADF
        case .cancelled: ECANCELED
        default: EINVAL
        }
    }
}
