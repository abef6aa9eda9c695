public import VDPADiagnosis

extension Diagnosis {
    /// A line for each finding, its remedy below, and the verdict.
    public func text(_ terminal: Terminal) -> String {
        var lines = [terminal.paint(device ?? "no vhost-vdpa device", .bold)]
        let width = findings.map(\.topic.count).max() ?? 0
        for finding in findings {
            let topic = finding.topic + String(repeating: " ", count: width - finding.topic.count)
            lines.append("\(terminal.mark(finding.status))  \(topic)  \(finding.text)")
            if let remedy = finding.remedy { lines.append("      -> \(remedy)") }
        }
        let warnings = findings.filter { $0.status == .warning }.count
        let failures = findings.filter { $0.status == .failure }.count
        lines.append(
            isReady
                ? terminal.paint("ready", .green)
                    + (warnings > 0 ? ", " + counted(warnings, "warning") : "")
                : terminal.paint("not ready", .red) + ": " + counted(failures, "failure") + ", "
                    + counted(warnings, "warning")
        )
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Plan {
    /// A line for each step, its commands below, ready to be copied.
    public func text(_ terminal: Terminal) -> String {
        var lines = [
            terminal.paint(
                "\(request.memory) in pages of \(request.page) for "
                    + counted(request.devices, "device"),
                .bold)
        ]
        let width = steps.map(\.topic.count).max() ?? 0
        for step in steps {
            let topic = step.topic + String(repeating: " ", count: width - step.topic.count)
            lines.append("\(terminal.mark(step.status))  \(topic)  \(step.text)")
            lines += step.commands.map { "        \($0)" }
        }
        lines.append(
            isReady
                ? terminal.paint("nothing has to be changed", .green)
                : terminal.paint("to be configured", .yellow) + ": what is not ok above")
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Terminal {
    /// Told by a word as well as by a colour.
    fileprivate func mark(_ status: Finding.Status) -> String {
        switch status {
        case .ok: paint("ok  ", .green)
        case .warning: paint("warn", .yellow)
        case .failure: paint("FAIL", .red)
        }
    }
}
