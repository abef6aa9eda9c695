package import VDPAMemory

extension VirtioBlock {
    /// Transfers that are not done.
    package var outstanding: Int { transfers.count }

    /// Hands a transfer to the device: as many requests as it takes, as the queue has room. The
    /// memory is the device's until the completion comes.
    ///
    /// - Parameters:
    ///   - data: whole sectors in all, for reading and writing; 20 bytes or more for `identify`.
    ///   - token: comes back with the completion.
    ///   - kicks: false leaves waking the device to `flushKicks()` or the next submission.
    /// - Throws: `invalidRequest`, `stopped`, `event`; then nothing was handed over.
    package func submit(
        _ operation: BlockOperation, sector: UInt64 = 0, data: [DMASlice] = [], token: UInt64 = 0,
        kicks: Bool = true
    ) throws(DriverError) {
        guard isRunning else { throw .stopped }
        let pieces = try pieces(operation, sector: sector, data)
        let number = nextTransfer
        nextTransfer += 1
        transfers[number] = Transfer(token: token, data: data, remaining: pieces.count)
        for piece in pieces {
            backlog.append(
                PendingRequest(
                    operation: operation, sector: piece.sector, data: piece.data,
                    transfer: number))
        }
        fillQueue()
        if kicks { try flushKicks() }
    }

    /// Shows the device what was submitted, and wakes it if it asks for that.
    package func flushKicks() throws(DriverError) {
        if queue.publish() { try wake() }
    }

    /// The completions that are there, without waiting.
    package func poll() throws(DriverError) -> [BlockCompletion] {
        var completions: [BlockCompletion] = []
        while let (head, _) = try queue.take() {
            guard let (number, status) = requests.finish(head) else { throw .brokenUsedRing }
            guard var transfer = transfers[number] else { throw .brokenUsedRing }
            transfer.remaining -= 1
            if transfer.status == .ok { transfer.status = status }
            if transfer.remaining == 0 {
                transfers[number] = nil
                completions.append(
                    BlockCompletion(token: transfer.token, status: transfer.status))
            } else {
                transfers[number] = transfer
            }
        }
        if !backlog.isEmpty {
            fillQueue()
            try flushKicks()
        }
        return completions
    }

    /// Completions, at least one: sleeps on the queue's call until there is one.
    ///
    /// - Throws: `timedOut` where none comes in time; `needsReset` where the device gave up.
    package func wait(milliseconds: Int? = nil) throws(DriverError) -> [BlockCompletion] {
        let deadline = Deadline(milliseconds: milliseconds ?? options.timeoutMilliseconds)
        while true {
            let completions = try poll()
            if !completions.isEmpty { return completions }
            if deadline.isPast {
                let status = try dma { () throws(DMAError) in try device.status }
                guard !status.contains(.needsReset) else { throw .needsReset }
                throw .timedOut(outstanding: outstanding)
            }
            if queue.askForCall() { continue }
            // A device that ends a request may forget the call: look at least every 0.1 s.
            if try call.wait(milliseconds: min(deadline.milliseconds, 100)) { call.clear() }
            queue.askForNoCall()
        }
    }

    /// Waits until nothing is outstanding.
    package func drain(milliseconds: Int? = nil) throws(DriverError) -> [BlockCompletion] {
        var completions: [BlockCompletion] = []
        while outstanding > 0 { completions += try wait(milliseconds: milliseconds) }
        return completions
    }

    // MARK: requests

    /// Cuts a transfer where the device's limits are.
    private func pieces(
        _ operation: BlockOperation, sector: UInt64, _ data: [DMASlice]
    ) throws(DriverError) -> [(sector: UInt64, data: [DMASlice])] {
        let total = data.reduce(0) { $0 + $1.byteCount }
        switch operation {
        case .flush:
            guard geometry.canFlush else { throw .invalidRequest("the device has no flush") }
            return [(0, [])]
        case .identify:
            guard total == 20 else { throw .invalidRequest("an identification has 20 bytes") }
            return [(0, data)]
        case .read, .write: break
        }
        let sectors = UInt64(total / BlockGeometry.sectorByteCount)
        guard total > 0, total % BlockGeometry.sectorByteCount == 0,
            data.allSatisfy({ $0.byteCount > 0 && $0.byteCount % 512 == 0 })
        else { throw .invalidRequest("\(total) bytes in \(data.count) slices: whole sectors") }
        guard sectors <= geometry.sectorCount, sector <= geometry.sectorCount - sectors else {
            throw .invalidRequest("sectors \(sector)... of \(geometry.sectorCount)")
        }
        guard operation == .read || !geometry.isReadOnly else {
            throw .invalidRequest("the device is read-only")
        }
        var result: [(sector: UInt64, data: [DMASlice])] = []
        var segments: [DMASlice] = []
        var next = sector
        func finish() {
            guard !segments.isEmpty else { return }
            result.append((next, segments))
            next += UInt64(segments.reduce(0) { $0 + $1.byteCount } / 512)
            segments = []
        }
        for slice in data {
            var done = 0
            while done < slice.byteCount {
                let count = min(geometry.segmentByteCount, slice.byteCount - done)
                if segments.count == geometry.segmentCount { finish() }
                segments.append(
                    DMASlice(
                        iova: IOVA(slice.iova.rawValue &+ UInt64(done)), byteCount: count))
                done += count
            }
        }
        finish()
        return result
    }

    /// Moves requests from the backlog to the queue while there is room.
    private func fillQueue() {
        var sent = 0
        while sent < backlog.count, send(backlog[sent]) { sent += 1 }
        if sent > 0 { backlog.removeFirst(sent) }
    }

    private func send(_ request: PendingRequest) -> Bool {
        guard
            let (slot, header, status, table) = requests.prepare(
                request.operation, sector: request.sector)
        else { return false }
        var chain = [Segment(header, isWritten: false)]
        for slice in request.data {
            chain.append(Segment(slice, isWritten: request.operation.writesMemory))
        }
        chain.append(Segment(status, isWritten: true))
        guard let head = queue.add(chain, table: table) else {
            requests.cancel(slot)
            return false
        }
        requests.start(head, slot: slot, transfer: request.transfer)
        requestCount += 1
        return true
    }
}

// MARK: memory

extension VirtioBlock {
    /// Whether the device may be using part of a range for a transfer.
    package func uses(_ range: IOVARange) -> Bool {
        transfers.values.contains { $0.data.contains { $0.overlaps(range) } }
    }

    /// Frees a region, or unregisters the caller's memory, once the device is done with it. The
    /// kernel would unmap it underneath: nobody but the driver knows what is in flight.
    ///
    /// - Parameter drainingFor: how long to wait for the transfers that use it, in milliseconds;
    ///   nil refuses instead. Their completions, and what else comes meanwhile, go to `completed`.
    /// - Throws: `inFlight`, `timedOut`, with the region as it was; `device`.
    package func free(
        _ id: RegionID, drainingFor milliseconds: Int? = nil,
        completed: ([BlockCompletion]) -> Void = { _ in }
    ) throws(DriverError) {
        let range = try dma { () throws(DMAError) in try domain.info(id).range }
        while uses(range) {
            guard let milliseconds else { throw .inFlight(range) }
            completed(try wait(milliseconds: milliseconds))
        }
        try dma { () throws(DMAError) in try domain.free(id) }
    }
}

// MARK: one at a time

extension VirtioBlock {
    /// One transfer from its start to its end, with nothing else outstanding.
    package func perform(
        _ operation: BlockOperation, sector: UInt64 = 0, data: [DMASlice] = []
    ) throws(DriverError) {
        let status = try attempt(operation, sector: sector, data: data)
        guard status == .ok else { throw .request(status) }
    }

    /// The same, with the device's answer whatever it is.
    package func attempt(
        _ operation: BlockOperation, sector: UInt64 = 0, data: [DMASlice] = [],
        milliseconds: Int? = nil
    ) throws(DriverError) -> BlockStatus {
        guard outstanding == 0 else { throw .invalidRequest("transfers are outstanding") }
        try submit(operation, sector: sector, data: data)
        let completions = try drain(milliseconds: milliseconds)
        guard let completion = completions.first else { throw .brokenUsedRing }
        return completion.status
    }
}
