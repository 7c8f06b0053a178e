//! Lines of LLVM IR, as `cargo llvm-lines` counts them: instructions and labels of function bodies
//! before any optimisation.

/// The lines of all function bodies.
pub(crate) fn lines(text: &str) -> usize {
    let mut inside = false;
    let mut lines = 0;
    for line in text.lines() {
        if line.starts_with("define ") {
            inside = true;
        } else if line == "}" {
            inside = false;
        } else if inside && line.starts_with("  ") && !line.starts_with("   ") {
            lines += 1;
        }
    }
    lines
}
