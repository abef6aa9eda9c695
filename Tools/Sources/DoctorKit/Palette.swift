/// Colours, light and dark: eight that people with any kind of colour vision tell apart best (after
/// Okabe and Ito), a shade darker on white and lighter on black.
enum Palette {
    private static let light = [
        "#0b6bb3", "#c2570c", "#0a8f68", "#a83e87", "#8a6d00", "#2a9fd0", "#8a3b12", "#5b5fc7",
    ]
    private static let dark = [
        "#56a8e8", "#f0883e", "#2fc492", "#dd86bf", "#e3c23a", "#7fd3f7", "#d08a62", "#a5a8ff",
    ]

    /// Custom properties on `root`, by the reader's preference.
    static func css(root: String) -> String {
        """
        \(root){color-scheme:light dark;--page:#ffffff;--text:#1b1f24;--quiet:#57606a;\
        --line:#d0d7de;--free:#eef1f4;--held:#b8c0ca;--extent:#9aa4b0;--shared:#6f7b8a;--registered:#3d4651;\
        --waiting:#b42318;\(tags(light))}
        @media (prefers-color-scheme:dark){\(root){--page:#0f1318;--text:#e6edf3;--quiet:#9aa5b1;\
        --line:#30363d;--free:#1b2129;--held:#4a535e;--extent:#66717e;--shared:#9aa5b3;--registered:#d3dae2;\
        --waiting:#ff7b72;\(tags(dark))}}

        """
    }

    static let mapCSS: String = {
        let tags = (0..<TagKey.colourCount).map { ".tag\($0){fill:var(--tag\($0))}" }
        return """
            rect{shape-rendering:crispEdges;stroke:var(--page);stroke-width:1px;\
            vector-effect:non-scaling-stroke}
            .region{stroke:none}.near .region{stroke:var(--page)}
            .hole{fill:var(--free)}.lane{fill:var(--free)}.reserved{fill:var(--held)}
            .dedicated{fill:var(--extent)}.shared{fill:var(--shared)}\
            .registered{fill:var(--registered)}.quarantined{fill:var(--waiting)}
            .untagged{fill:var(--quiet)}\(tags.joined())

            """
    }()

    private static func tags(_ colours: [String]) -> String {
        colours.enumerated().map { "--tag\($0.offset):\($0.element);" }.joined()
    }
}
