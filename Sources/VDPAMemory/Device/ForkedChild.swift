internal import HostMemory

extension ForkMark {
    /// - Throws: `notOwner` in a child that was forked after the mark was made.
    func requireOwnProcess() throws(DMAError) {
        guard !isOwnProcess else { return }
        throw DMAError(
            .notOwner,
            "This process is a forked child: the device and its mappings belong to process "
                + "\(processID).",
            remedy: "Open the device in the child, or leave DMA to the parent.")
    }
}
