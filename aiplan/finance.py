"""Money over time: present values, annuities, depreciation, residual values, rates of return.

Pure functions of numbers and arrays. Rates are per year and compounded yearly; a rate of 0 is the plain sum. Rates and
flows must be of one kind, both nominal or both real (`real_rate`). Leading axes broadcast; where a function works
along time, time is the trailing axis. What is not a number, not finite or out of range raises ValueError.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RESIDUAL_YEARLY_FACTOR = 0.77
"""Share of its value that an accelerator keeps each year [1]: a fit to the table below, so an anchor of one vendor."""
RESIDUAL_TABLE_AGES_YEARS = (0.0, 1.0, 2.0, 3.0, 4.0)
RESIDUAL_TABLE_FRACTIONS = (1.0, 0.78, 0.60, 0.46, 0.35)
"""Resale value of an H100 PCIe by age, as a share of the new price [1]: valuator_data.json v0.6 of spotwire.ai, the
anchor of one vendor and not a measurement."""
MACRS_FACTORS = {3: 2.0, 5: 2.0, 7: 2.0, 10: 2.0, 15: 1.5, 20: 1.5}
"""Declining-balance factor of each US property class [1]: 26 U.S.C. 168(b), as in IRS Publication 946, Table A-1."""
LONGEST_LIFE_YEARS = 1000.0
ROUNDING = 1e-12
BISECTIONS = 64


def _check(condition: npt.ArrayLike, message: str) -> None:
    if not np.all(condition):
        raise ValueError(message)


def _numbers(value: npt.ArrayLike, what: str) -> Array:
    numbers = np.asarray(value, dtype=np.float64)
    _check(np.isfinite(numbers), f"{what} must be finite numbers")
    return numbers


def _rates(rate: npt.ArrayLike) -> Array:
    numbers = _numbers(rate, "rates")
    _check(numbers > -1.0, "a rate must be above -1 (-100 % a year)")
    return numbers


def _flows(flows_usd: npt.ArrayLike, times_years: npt.ArrayLike) -> tuple[Array, Array]:
    """Flows ``[..., N]`` and the ascending times ``[N]`` they fall on."""
    flows, times = _numbers(flows_usd, "flows"), _numbers(times_years, "times")
    _check(flows.ndim >= 1 and flows.shape[-1] >= 1 and times.shape == flows.shape[-1:], "one time for each flow")
    _check(np.diff(times) > 0, "times must ascend")
    return flows, times


def discount_factor(rate: npt.ArrayLike, years: npt.ArrayLike) -> Array:
    """Present value of one dollar paid ``t`` years from now, ``(1 + r)^-t`` [1]; shapes broadcast.

    >>> round(float(discount_factor(0.08, 5)), 6)
    0.680583
    """
    with np.errstate(over="ignore"):
        factor = np.exp(-_numbers(years, "years") * np.log1p(_rates(rate)))
    _check(np.isfinite(factor), "rate and years are too extreme: the discount factor is beyond floating point")
    return np.asarray(factor)


def npv(flows_usd: npt.ArrayLike, rate: npt.ArrayLike, times_years: npt.ArrayLike) -> Array:
    """Net present value at time 0 [USD], ``sum_k F_k (1 + r)^-t_k`` over the trailing axis.

    Parameters
    ----------
    flows_usd : flows, ``[..., N]`` [USD]
    rate : r, broadcasts with the leading axes of the flows [1 per year]
    times_years : t_k, ``[N]`` or ``[..., N]``, in any order; negative ones lie before time 0 [years]

    >>> round(float(npv([-100, 60, 60], 0.1, [0, 1, 2])), 4)
    4.1322
    """
    flows, rates = _numbers(flows_usd, "flows"), _rates(rate)
    _check(flows.ndim >= 1, "flows need an axis of time")
    return np.asarray(np.sum(flows * discount_factor(rates[..., None], times_years), axis=-1))


def present_value_factor(years: npt.ArrayLike, rate: npt.ArrayLike) -> Array:
    """Present value of one dollar at the end of each of ``n`` years, ``(1 - (1 + r)^-n) / r``; ``n`` at r = 0 [years].

    Written with expm1 and log1p, so that it does not lose digits near 0; ``n`` may be a fraction.
    """
    n, r = np.broadcast_arrays(_numbers(years, "years"), _rates(rate))
    _check(n > 0, "years must be above 0")
    with np.errstate(over="ignore"):
        lost = -np.expm1(-n * np.log1p(r))
    _check(np.isfinite(lost), "rate and years are too extreme: the factor is beyond floating point")
    some = np.abs(r) > np.finfo(np.float64).tiny
    return np.asarray(np.divide(lost, r, out=n.copy(), where=some))


def capital_recovery_factor(years: npt.ArrayLike, rate: npt.ArrayLike) -> Array:
    """Yearly payment at year ends that repays one dollar in ``n`` years, ``a(n, r) = r / (1 - (1 + r)^-n)`` [1/years].

    >>> round(float(capital_recovery_factor(5, 0.08)), 6)
    0.250456
    """
    return np.asarray(1.0 / present_value_factor(years, rate))


def real_rate(nominal_rate: npt.ArrayLike, inflation_rate: npt.ArrayLike) -> Array:
    """Discount rate for flows in constant prices, ``(1 + r) / (1 + i) - 1`` (Fisher), without cancellation [1]."""
    nominal, inflation = _rates(nominal_rate), _rates(inflation_rate)
    return np.asarray((nominal - inflation) / (1.0 + inflation))


def _declining(life: float, factor: float, first_years: float) -> tuple[Array, Array]:
    """Age at the end of each tax year and the share deducted in it: declining balance, then straight line.

    In each tax year the deduction is the larger of ``book x factor / life`` and ``book / remaining life``.
    """
    _check(0 < life <= LONGEST_LIFE_YEARS, f"a life must be above 0 and at most {LONGEST_LIFE_YEARS:g} years")
    _check(1.0 <= factor < np.inf, "a declining-balance factor must be 1 or more")
    book, age, span = 1.0, 0.0, first_years
    ages, shares = [], []
    while age < life * (1.0 - ROUNDING):
        span = min(span, life - age)
        share = min(book, book * max(factor / life, 1.0 / (life - age)) * span)
        book, age, span = book - share, age + span, 1.0
        ages.append(age)
        shares.append(share)
    return np.array(ages), np.array(shares)


def declining_balance(life_years: float, factor: float = 2.0) -> Array:
    """Shares of the price written off in each year, ``[ceil(life)]``, sum 1 [1].

    The book loses ``factor / life`` of itself a year (2 = double declining balance) until straight line over the rest
    of the life writes off more. Bought at the start of a year; a last year that is cut short counts in proportion.
    """
    return _declining(life_years, factor, 1.0)[1]


def straight_line(life_years: float) -> Array:
    """Equal shares of the price in each year, ``[ceil(life)]``, sum 1; the last in proportion to its length [1]."""
    return _declining(life_years, 1.0, 1.0)[1]


def macrs(class_years: int) -> Array:
    """US tax depreciation in each tax year, ``[class + 1]``, sum 1 [1].

    Half-year convention: bought in the middle of the first tax year, whenever in it. 200 % declining balance for
    classes 3, 5, 7 and 10 years, 150 % for 15 and 20, each with the switch to straight line (26 U.S.C. 168(b)-(d)).
    Equals IRS Publication 946, Table A-1, which prints it rounded. Bonus depreciation, the mid-quarter convention and
    buildings (27.5 and 39 years) are not in it.

    >>> [round(share, 4) for share in macrs(5).tolist()]
    [0.2, 0.32, 0.192, 0.1152, 0.1152, 0.0576]
    """
    _check(class_years in MACRS_FACTORS, f"a MACRS class is one of {', '.join(map(str, MACRS_FACTORS))} years")
    return _declining(class_years, MACRS_FACTORS[class_years], 0.5)[1]


def residual_fraction(age_years: npt.ArrayLike, yearly_factor: npt.ArrayLike = RESIDUAL_YEARLY_FACTOR) -> Array:
    """Resale value as a share of the price when new, ``f^age`` [1]; shapes broadcast, f in (0, 1].

    The default 0.77 is a fit to the anchor of one vendor, not a measurement. The discount of the sales channel (broker,
    auction) comes on top.

    >>> [round(float(residual_fraction(age)), 3) for age in (1, 2, 3, 4)]
    [0.77, 0.593, 0.457, 0.352]
    """
    age, factor = _numbers(age_years, "ages"), _numbers(yearly_factor, "factors")
    _check(age >= 0, "an age must not be negative")
    _check((factor > 0) & (factor <= 1), "a yearly factor lies above 0 and at most at 1")
    return np.asarray(factor**age)


def residual_from_table(
    age_years: npt.ArrayLike,
    table_ages_years: npt.ArrayLike = RESIDUAL_TABLE_AGES_YEARS,
    table_fractions: npt.ArrayLike = RESIDUAL_TABLE_FRACTIONS,
) -> Array:
    """Resale value as a share of the price when new, from points by age [1].

    Between two points the value falls by a constant factor a year; after the last point it goes on falling by that of
    the last two (assumed). The table starts at age 0 and its fractions, in (0, 1], do not rise.
    """
    age = _numbers(age_years, "ages")
    ages, fractions = _numbers(table_ages_years, "ages"), _numbers(table_fractions, "fractions")
    _check(age >= 0, "an age must not be negative")
    _check(ages.ndim == 1 and ages.size >= 2 and ages.shape == fractions.shape, "a table needs two points or more")
    _check(ages[0] == 0 and np.all(np.diff(ages) > 0), "the ages of a table ascend from 0")
    _check((fractions > 0) & (fractions <= 1), "the fractions of a table lie above 0 and at most at 1")
    _check(np.diff(fractions) <= 0, "the fractions of a table must not rise")
    logs = np.log(fractions)
    slope = (logs[-1] - logs[-2]) / (ages[-1] - ages[-2])
    return np.asarray(np.exp(np.interp(age, ages, logs) + slope * np.maximum(age - ages[-1], 0.0)))


def sign_changes(flows_usd: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How often the flows change sign along the trailing axis, zeros left out [1]."""
    signs = np.sign(_numbers(flows_usd, "flows"))
    _check(signs.ndim >= 1, "flows need an axis of time")
    last, count = np.zeros(signs.shape[:-1]), np.zeros(signs.shape[:-1], dtype=np.int64)
    for sign in np.moveaxis(signs, -1, 0):
        count = count + (sign * last < 0)
        last = np.where(sign != 0, sign, last)
    return np.asarray(count)


def internal_rate_of_return(flows_usd: npt.ArrayLike, times_years: npt.ArrayLike) -> Array:
    """Rate at which the net present value is 0 [1 per year], NaN where there is none or it is not certain to be one.

    Parameters
    ----------
    flows_usd : ``[..., N]`` in the order of time [USD]
    times_years : ``[N]``, ascending [years]

    Flows that never change sign have no such rate; flows that change it more than once may have none or several, and
    `sign_changes` tells the two apart: both give NaN. With one change there is exactly one rate above -1 (Descartes'
    rule of signs). It is found by bisection of ``h(x) = log(late) - log(early)`` in ``x = log(1 + r)``, early and late
    being the discounted sums before and after the change: h falls with a slope between the shortest and the longest
    wait from one to the other, which brackets the root without a search. Beyond floating point the rate is infinite.
    """
    flows, times = _flows(flows_usd, times_years)
    found = np.full(flows.shape[:-1], np.nan)
    one = sign_changes(flows) == 1
    if not np.any(one):
        return found
    rows = flows[one]
    signs = np.sign(rows)
    first = np.take_along_axis(signs, np.argmax(signs != 0, axis=-1)[..., None], axis=-1)
    early, late = signs == first, signs == -first
    shortest = np.min(np.where(late, times, np.inf), axis=-1) - np.max(np.where(early, times, -np.inf), axis=-1)
    longest = np.max(np.where(late, times, -np.inf), axis=-1) - np.min(np.where(early, times, np.inf), axis=-1)
    logs = np.log(np.abs(rows), out=np.full(rows.shape, -np.inf), where=rows != 0)

    def excess(x: Array) -> Array:
        terms = logs - x[..., None] * times
        return _log_sum(np.where(late, terms, -np.inf)) - _log_sum(np.where(early, terms, -np.inf))

    at_zero = excess(np.zeros(rows.shape[0]))
    ends = at_zero / shortest, at_zero / longest
    low, high = np.minimum(*ends), np.maximum(*ends)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        above = excess(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    with np.errstate(over="ignore"):
        found[one] = np.expm1(0.5 * (low + high))
    return found


def _log_sum(terms: Array) -> Array:
    top = np.max(terms, axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.sum(np.exp(terms - top), axis=-1)))


def payback_years(flows_usd: npt.ArrayLike, times_years: npt.ArrayLike, rate: npt.ArrayLike = 0.0) -> Array:
    """Time from which the discounted flows so far are never again below 0 [years]; simple payback at rate 0.

    Parameters
    ----------
    flows_usd : ``[..., N]``, first flows out, then flows in [USD]
    times_years : ``[N]``, ascending [years]
    rate : broadcasts with the leading axes [1 per year]

    Between two flows the sum is read as growing evenly. NaN where the flows never pay back, or not for good; the first
    time where the sum is never below 0.
    """
    flows, times = _flows(flows_usd, times_years)
    present = flows * discount_factor(_rates(rate)[..., None], times)
    so_far = np.cumsum(present, axis=-1)
    below = so_far < -ROUNDING * np.sum(np.abs(present), axis=-1, keepdims=True)
    count = times.size
    last = count - 1 - np.argmax(below[..., ::-1], axis=-1)
    after = np.minimum(last + 1, count - 1)
    before = np.take_along_axis(so_far, last[..., None], axis=-1)[..., 0]
    then = np.take_along_axis(so_far, after[..., None], axis=-1)[..., 0]
    part = np.minimum(np.divide(-before, then - before, out=np.ones_like(then), where=then > before), 1.0)
    crossed = times[last] + part * (times[after] - times[last])
    crossed = np.where(last == count - 1, np.nan, crossed)
    return np.where(np.any(below, axis=-1), crossed, times[0])
