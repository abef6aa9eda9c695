extension MapPage {
    /// Zooming and pointing. Positions are numbers, addresses 64-bit integers (BigInt).
    static let script = #"""
        "use strict";
        const map = document.getElementById("map"), axis = document.getElementById("axis");
        const detail = document.getElementById("detail"), total = map.viewBox.baseVal.width;
        const height = map.viewBox.baseVal.height;
        const pieces = JSON.parse(document.getElementById("pieces").textContent)
          .map(([x, w, first, last]) => ({x, w, first: BigInt(first), last: BigInt(last)}));
        let left = 0, width = total;

        // The offset is taken as a fraction of a million million: no number holds 2^64 exactly.
        const unit = 1000000000000n;
        function addressAt(x) {
          const piece = pieces.find(p => x < p.x + p.w) ?? pieces[pieces.length - 1];
          if (!piece) return 0n;
          const part = Math.min(1, Math.max(0, (x - piece.x) / piece.w));
          const address = piece.first
            + (piece.last - piece.first + 1n) * BigInt(Math.floor(part * 1e12)) / unit;
          return address > piece.last ? piece.last : address;
        }
        function positionOf(address) {
          const piece = pieces.find(p => address <= p.last) ?? pieces[pieces.length - 1];
          if (!piece || address < piece.first) return piece ? piece.x : 0;
          const part = (address - piece.first) * unit / (piece.last - piece.first + 1n);
          return piece.x + piece.w * Number(part) / 1e12;
        }
        function show(newLeft, newWidth) {
          width = Math.min(total, Math.max(total / 1e9, newWidth));
          left = Math.min(total - width, Math.max(0, newLeft));
          map.setAttribute("viewBox", `${left} 0 ${width} ${height}`);
          // Lines between regions would hide small ones.
          map.classList.toggle("near", width < total / 8);
          axis.replaceChildren();
          const steps = Math.max(2, Math.floor(map.clientWidth / 190));
          for (let step = 0; step <= steps; step++) {
            const label = document.createElement("span");
            const address = addressAt(left + width * step / steps);
            // Pages are what anybody looks for.
            label.textContent = "0x" + (step === steps ? address : address & ~4095n).toString(16);
            if (step === steps) label.style.right = "0";
            else label.style.left = 100 * step / steps + "%";
            axis.append(label);
          }
        }
        function zoom(factor, at) { show(at - (at - left) * factor, width * factor); }
        const centre = () => left + width / 2;
        const under = event => {
          const box = map.getBoundingClientRect();
          return left + width * (event.clientX - box.left) / box.width;
        };
        map.addEventListener("wheel", event => {
          event.preventDefault();
          zoom(event.deltaY < 0 ? 0.8 : 1.25, under(event));
        }, {passive: false});
        let held = null;
        map.addEventListener("pointerdown", event => {
          held = {x: event.clientX, left};
          map.setPointerCapture(event.pointerId);
        });
        map.addEventListener("pointerup", () => { held = null; });
        map.addEventListener("pointercancel", () => { held = null; });
        map.addEventListener("pointermove", event => {
          if (held) {
            show(held.left - (event.clientX - held.x) / map.clientWidth * width, width);
          }
          const shape = document.elementFromPoint(event.clientX, event.clientY);
          const title = shape && shape.querySelector && shape.querySelector("title");
          if (title && map.contains(shape) && shape !== map) {
            detail.textContent = "0x" + addressAt(under(event)).toString(16) + ": "
              + title.textContent;
          }
        });
        map.addEventListener("keydown", event => {
          const moves = {ArrowLeft: -0.1, ArrowRight: 0.1};
          if (event.key in moves) show(left + width * moves[event.key], width);
          else if (event.key === "+" || event.key === "=") zoom(0.5, centre());
          else if (event.key === "-") zoom(2, centre());
          else if (event.key === "Home") show(0, total);
          else return;
          event.preventDefault();
        });
        document.getElementById("in").onclick = () => zoom(0.5, centre());
        document.getElementById("out").onclick = () => zoom(2, centre());
        document.getElementById("all").onclick = () => show(0, total);
        function go(text) {
          const parts = text.trim().split(/\s*-\s*/);
          let first, last;
          try {
            first = BigInt(parts[0]);
            last = BigInt(parts[1] ?? parts[0]);
          } catch {
            detail.textContent = text + " is no address or range of addresses";
            return;
          }
          const start = positionOf(first);
          const end = parts[1] ? positionOf(last + 1n) : start + total / 500;
          show(start, Math.max(end - start, total / 1e9));
        }
        document.getElementById("go").addEventListener("submit", event => {
          event.preventDefault();
          location.hash = document.getElementById("address").value.trim();
          go(document.getElementById("address").value);
        });
        addEventListener("resize", () => show(left, width));
        show(0, total);
        // A link to a range: map.html#0x200000-0x3fffff.
        if (location.hash.length > 1) go(decodeURIComponent(location.hash.slice(1)));
        """#
}
