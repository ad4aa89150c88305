"""One update for many queries: the ΔW that comes nearest to ΔW a_k = v_k for all of them at once, in fp64.

With the a_k as the columns of A (d, K) and the v_k = WΔA_k as those of V (m, K), ΔW minimises Σ_k ‖ΔW a_k - v_k‖² + λ‖ΔW‖_F². For λ > 0 it is

    ΔW = V Aᵀ(AAᵀ + λI)⁻¹,

for λ = 0 the same if A has rank d, and V (AᵀA)⁻¹Aᵀ, the smallest of the many that fit exactly, if A has rank K; for K = 1 that is Eq. (1).
If A has neither rank there is nothing that the numbers decide: it is refused by name.
Source: Penrose, "On best approximate solutions of linear matrix equations" (1956); ridge: Hoerl and Kennard (1970).
"""

import torch
from torch import Tensor


class SingularPatch(ArithmeticError):
    """The A(x_k) are linearly dependent, so that the least squares have no solution that their numbers decide."""


def is_singular(A: Tensor) -> Tensor:
    """Whether the a_k span fewer directions than d and than K.  A: (..., d, K). Returns (...)."""
    return torch.linalg.matrix_rank(A) < min(A.shape[-2:])


def least_squares_patch(A: Tensor, V: Tensor) -> Tensor:
    """ΔW without a ridge.  A: (..., d, K); V: (..., m, K). Returns (..., m, d). Raises SingularPatch."""
    if bool(is_singular(A).any()):
        needed, rank = min(A.shape[-2:]), int(torch.linalg.matrix_rank(A).min())
        raise SingularPatch(f"the {A.shape[-1]} vectors A(x) span {rank} directions of {A.shape[-2]}, and a patch for them needs {needed}.")
    return torch.linalg.lstsq(A.mT, V.mT, driver="gels").solution.mT


def ridge_patch(A: Tensor, V: Tensor, ridge: Tensor) -> Tensor:
    """ΔW with a ridge.  A: (..., d, K); V: (..., m, K); ridge: (...) or one that broadcasts with it, λ > 0. Returns (..., m, d). Raises SingularPatch."""
    if not bool((ridge > 0).all()):
        raise SingularPatch("a ridge λ has to be positive; without one, ask for the least squares themselves.")
    normal = A @ A.mT + ridge[..., None, None] * torch.eye(A.shape[-2], dtype=A.dtype)
    return torch.linalg.solve(normal, A @ V.mT).mT


def span(vectors: Tensor) -> Tensor:
    """An orthonormal basis Q of what these vectors span, (d, r).  vectors: (n, d), n ≥ d.

    A patch of least norm has its rows in the span of the a_k, so over the reals nothing changes if ΔW is sought as XQᵀ with X from the coordinates Qᵀa_k.
    In fp64 it does: where every A(x) lies in a few directions, the roundings of the rest are no vectors to fit. The directions are those that
    ``torch.linalg.matrix_rank`` counts: singular values above max(n, d)·2⁻⁵²·σ₁ (Golub and Van Loan, Matrix Computations, section 5.5.8).
    """
    directions = int(torch.linalg.matrix_rank(vectors))
    return torch.linalg.svd(vectors, full_matrices=False).Vh[:directions].mT
