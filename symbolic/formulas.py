"""Every formula of the paper, once, as a plain function of matrix-like values.

A value supports ``@``, ``+``, ``-``, division by a 1x1 value and ``.mT``; vectors are columns. SymPy words,
exact rationals, torch tensors, values with an error radius and balls all do, so what is proved is what runs
and is what is bounded. Batches live in leading dimensions and are no business of a formula.

Source: Dherin et al., "Learning without training: the implicit dynamics of in-context learning" (2025).
"""


def transpose(x):
    """xᵀ.  x: (p, q). Returns (q, p)."""
    return x.mT


def squared_norm(a):
    """‖a‖² = aᵀa as a 1x1 value.  a: (d, 1)."""
    return transpose(a) @ a


def context_vector(z, a):
    """ΔA(Y) = A(C,x) - A(C∖Y,x), the context vector of Y.  Theorem 2.2.  z, a: (d, 1)."""
    return z - a


def rank_one_update(W, delta, a):
    """The update that moves W a to W (a + delta):  (W delta) aᵀ / ‖a‖².  Eq. (1).

    W: (m, d); delta, a: (d, 1). Returns (m, d). The caller guarantees a ≠ 0.
    """
    return (W @ delta) @ transpose(a) / squared_norm(a)


def scaled_rank_one_update(W, delta, a, scale):
    """Eq. (1) with a divided by a scale first, so that ‖a‖² neither under- nor overflows:  (W delta) cᵀ / ‖c‖² / scale, c = a/scale.

    W: (m, d); delta, a: (d, 1); scale: (1, 1). Returns (m, d). The caller guarantees a ≠ 0 and scale ≠ 0; the
    choice scale = max|a| brings ‖c‖² between 1 and d.
    """
    c = a / scale
    return (W @ delta) @ transpose(c) / squared_norm(c) / scale


def patched_weight(W, update):
    """W + ΔW.  Eq. (1).  W, update: (m, d)."""
    return W + update


def first_layer(W, b, a):
    """The pre-activation Wa + b of the first dense layer.  Definition 2.1.  W: (m, d); a: (d, 1); b: (m, 1)."""
    return W @ a + b


def factored_update(v, a, x):
    """What ΔW adds to the first layer's pre-activation at x, without being formed:  v (aᵀx/‖a‖²), v = W delta.  Eq. (1).

    v: (m, 1); a, x: (d, 1). Returns (m, 1). It is how a low-rank patch is deployed (Hu et al., "LoRA", 2021, §4.1). The caller
    guarantees a ≠ 0.
    """
    return v @ (transpose(a) @ x / squared_norm(a))


def least_squares_update(V, A, inverse):
    """The update that brings ΔW A as near to V as one matrix can, with a ridge λ:  V Aᵀ(AAᵀ + λI)⁻¹.

    V: (m, k), the k targets WΔA as columns; A: (d, k), the k vectors A(x); inverse: (d, d), that of AAᵀ + λI. Returns (m, d). Claim
    ``static-patch``.
    """
    return V @ transpose(A) @ inverse


def fitting_update(V, A, inverse):
    """The smallest of the updates that map A to V exactly:  V (AᵀA)⁻¹Aᵀ; for one column Eq. (1).

    V: (m, k); A: (d, k); inverse: (k, k), that of AᵀA. Returns (m, d). Claim ``static-patch-fits``.
    """
    return V @ inverse @ transpose(A)


def perturbation(W, delta, a, epsilon):
    """What the patched first layer's output moves by if it reads a + ε in place of a:  (W delta)(aᵀε/‖a‖²) + Wε.

    W: (m, d); delta, a, epsilon: (d, 1). Returns (m, 1). Claim ``perturbed-query``. The caller guarantees a ≠ 0.
    """
    return (W @ delta) @ (transpose(a) @ epsilon / squared_norm(a)) + W @ epsilon


def bias_update(b_prime, delta):
    """b′ + Δb′ with Δb′ = ΔA(Y), what the skip connection needs beside ΔW.  Eq. (25).  b_prime, delta: (d, 1)."""
    return b_prime + delta


def skip_connection(x, attended, network_output):
    """x + A + (W′g(WA + b) + b′), evaluated from left to right.  Definition A.1, Eq. (22).  Each: (d, 1)."""
    return x + attended + network_output


def residual_connection(stream, network_output):
    """v + M(N(v)), a Pre-LN block after its attention.  Claims ``pre-ln``, ``bias-free-output``.  Each: (d, 1)."""
    return stream + network_output


def output_update(delta, h):
    """The update of an output matrix that moves W_o h to W_o h + delta:  delta hᵀ / ‖h‖².

    delta: (d, 1); h: (k, 1), what W_o multiplies. Returns (d, k). Eq. (1) with delta in place of WΔA, for blocks without a last bias. Claims
    ``bias-free-output``, ``parallel``, ``mixture-of-experts``. The caller guarantees h ≠ 0.
    """
    return delta @ transpose(h) / squared_norm(h)


def scale_update(delta, normalised):
    """The update of a normalisation's scale that moves m ⊙ ĥ to m ⊙ ĥ + delta:  delta ⊘ ĥ, entry by entry.

    delta: (d, 1); normalised: (d, 1), the normalised value ĥ before it is scaled. Returns (d, 1). Claim ``norm-scale``. The caller guarantees
    that no entry of ĥ is zero.
    """
    return delta / normalised


def expert_target(delta, gates):
    """What each chosen expert's output has to be moved by for their sum, weighted by the gates, to move by delta:  delta / Σγ.

    delta: (d, 1); gates: (1, 1), the sum of the chosen experts' gates. Returns (d, 1). Claim ``mixture-of-experts``. The caller guarantees
    that the sum is not zero.
    """
    return delta / gates


def token_effect(W, before, after, a):
    """Δ_i, the gradient that consuming a token amounts to:  W (before - after) aᵀ.  Proposition 3.1.

    W: (m, d), the weights W₀ before any token; before, after: (d, 1), A(c₁..c_i, x) and A(c₁..c_{i+1}, x); a: (d, 1), A(x).
    Returns (m, d).
    """
    return (W @ (before - after)) @ transpose(a)


def gradient_step(W, slope, a):
    """W - h ∇L with h = 1/‖a‖².  Eqs. (15), (20).  W, slope: (m, d); a: (d, 1). The caller guarantees a ≠ 0."""
    return W - slope / squared_norm(a)


def token_factor(one, delta, a):
    """The factor 1 + h_i A_i by which a token multiplies W from the right:  1 + delta aᵀ / ‖a‖².  Eqs. (33), (34).

    one: (d, d), the identity; delta: (d, 1), ΔA(c_i); a: (d, 1), A(c_{i+1}..c_n, x). The caller guarantees a ≠ 0.
    """
    return one + delta @ transpose(a) / squared_norm(a)
