internal import VhostVDPA

extension VDPADevice {
    /// The thin layer's call, with its error in the words of this one.
    func kernel<Answer>(
        _ call: @autoclosure () throws(VhostError) -> Answer
    ) throws(DMAError) -> Answer {
        do throws(VhostError) {
            return try call()
        } catch {
            throw DMAError(error)
        }
    }
}
