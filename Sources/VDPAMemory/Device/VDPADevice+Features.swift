internal import Synchronization
public import VhostVDPA

// Virtio features. Source: drivers/vhost/vdpa.c. One ioctl(2) each; none needs the owner.
extension VDPADevice {
    /// The virtio features that the device offers (VHOST_GET_FEATURES).
    public var offeredFeatures: VirtioFeatures {
        get throws(DMAError) { try kernel(try vhost.getFeatures()) }
    }

    /// The virtio features that the driver accepts (VHOST_SET_FEATURES), a subset of
    /// `offeredFeatures` that includes ACCESS_PLATFORM. Write FEATURES_OK to the status after it.
    ///
    /// `.ringPacked` also tells this library how the queues are laid out.
    ///
    /// - Throws: `deviceUnavailable` after FEATURES_OK; `invalidArgument` if the device does not
    ///   accept the set.
    public func setFeatures(_ features: VirtioFeatures) throws(DMAError) {
        try forkMark.requireOwnProcess()
        try controlLock.withLock { _ throws(DMAError) in
            try kernel(try vhost.setFeatures(features))
            editRecords { $0.features = features }
        }
    }

    /// How the queues are laid out: what the last `setFeatures` said, split before that.
    public var ringLayout: VringLayout { withRecords { $0.layout } }
}
