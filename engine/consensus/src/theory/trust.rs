//! What trust models settle at, and how long a liar's past protects it.

/// Beta trust of an agent whose deeds are all good, for ever: `(1 / (1 - λ) + 1) / (1 / (1 - λ) + 2)`.
#[must_use]
pub fn beta_cap(forgetting: f64) -> f64 {
    beta_steady(forgetting, 1.0)
}

/// Mean Beta trust of an agent of whose deeds a share `good` is good, for ever.
#[must_use]
pub fn beta_steady(forgetting: f64, good: f64) -> f64 {
    let memory = 1.0 / (1.0 - forgetting);
    (good * memory + 1.0) / (memory + 2.0)
}

/// Bad deeds after which a fully trusted agent is trusted less than one half: the first whole number above
/// `ln 2 / -ln λ`.
#[must_use]
pub fn grace(forgetting: f64) -> u32 {
    (std::f64::consts::LN_2 / -libm::log(forgetting)).floor() as u32 + 1
}

/// EigenTrust of a closed collective that receives a share `leak` of every honest agent's trust and gives none away:
/// `(1 - a) e / (a + (1 - a) e)`, with `a` the weight of the pre-trusted agents, none of which belongs to it.
#[must_use]
pub fn collective_mass(pretrust: f64, leak: f64) -> f64 {
    let inflow = (1.0 - pretrust) * leak;
    inflow / (pretrust + inflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O7.
    #[test]
    fn caps_and_grace() {
        assert!((beta_cap(0.95) - 21.0 / 22.0).abs() < 1e-12);
        assert!((beta_steady(0.95, 0.9) - 0.863_636).abs() < 1e-6);
        for (forgetting, expected) in [(0.9, 7), (0.95, 14), (0.98, 35), (0.99, 69)] {
            assert_eq!(grace(forgetting), expected);
        }
    }

    /// Oracle O6 (ii).
    #[test]
    fn collectives() {
        for (leak, pretrust, expected) in
            [(0.05, 0.1, 0.310_345), (0.05, 0.2, 0.166_667), (0.05, 0.15, 0.220_779), (0.0, 0.1, 0.0)]
        {
            assert!((collective_mass(pretrust, leak) - expected).abs() < 1e-6);
        }
    }
}
