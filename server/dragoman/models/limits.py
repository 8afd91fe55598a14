"""Every number of the wrappers around a model and of the choice between endpoints, with its reason."""

from __future__ import annotations

from typing import Final

# -- pool: who may run, who waits --------------------------------------------------------------------------------------

POOL_QUEUE: Final = 256
"""Calls that wait at one endpoint; at four at a time and 10 s each, the last of more would wait for over ten minutes."""

POOL_BACKGROUND_EVERY: Final = 8
"""Where both wait, one in so many turns is background's: an index goes on being built, and a person hardly notices."""

POOL_PATIENCE_S: Final = 10.0
POOL_PATIENCE_BACKGROUND_S: Final = 60.0
"""How long calls for the model that is loaded may go before an older one for another model.
Loading a model takes 2 to 20 s: to swap more often than that is to do nothing else."""

POOL_HOLD_WEIGHT: Final = 0.1
POOL_RETRY_AFTER_MIN_S: Final = 1.0
POOL_RETRY_AFTER_MAX_S: Final = 60.0
"""When a full queue says to come again: its length times how long calls took lately (newest weight), within these bounds."""

# -- retry -------------------------------------------------------------------------------------------------------------

RETRY_ATTEMPTS: Final = 3
"""Tries of one call, the first included."""

RETRY_ATTEMPTS_OF_SEVERAL: Final = 2
"""Rounds of asking several endpoints, each of which asks them all."""

RETRY_BACKGROUND_S: Final = 1.0
RETRY_BACKGROUND_MAX_S: Final = 30.0
RETRY_BACKGROUND_AFTER_S: Final = 60.0
RETRY_BACKGROUND_WITHIN_S: Final = 300.0
"""Where nobody looks on: 1 s, 2 s, 4 s, …; a server that says when to come again is believed up to a minute."""

RETRY_CHAT_S: Final = 0.25
RETRY_CHAT_MAX_S: Final = 2.0
RETRY_CHAT_AFTER_S: Final = 5.0
RETRY_CHAT_WITHIN_S: Final = 15.0
"""Where a person waits for an answer: a pause of more than five seconds, or a try after a quarter
of a minute, is worse than a clear error."""

RETRY_GHOST_ATTEMPTS: Final = 2
RETRY_GHOST_S: Final = 0.05
RETRY_GHOST_MAX_S: Final = 0.05
RETRY_GHOST_AFTER_S: Final = 0.3
RETRY_GHOST_WITHIN_S: Final = 1.0
"""Ghost text: one more try at once (a connection that the server had closed), then the next key asks anyway."""

# -- breaker -----------------------------------------------------------------------------------------------------------

BREAKER_FAILURES: Final = 5
"""So many failures one after the other open it, however few calls there are."""

BREAKER_WINDOW: Final = 20
BREAKER_WINDOW_S: Final = 60.0
BREAKER_MINIMUM: Final = 10
BREAKER_SHARE: Final = 0.5
"""So large a share of the newest calls, not older than a minute, opens it too, once there are enough to speak of a share."""

BREAKER_OPEN_S: Final = 1.0
BREAKER_OPEN_MAX_S: Final = 4.0
BREAKER_GROWTH: Final = 2.0
"""How long it stays open: longer each time it opens again, but a server that is back is found within five seconds."""

BREAKER_CALM_S: Final = 10.0
"""Closed for so long, the next opening counts as the first again; before that the server flaps."""

BREAKER_PROBES: Final = 2
"""Half-open, so many calls may run at a time, and so many in a row must be well to close it."""

BREAKER_PROBE_S: Final = 1.0
"""A probe that streams for so long is well: the others need not wait for the end of a long answer."""

BREAKER_PROBE_SLOW_S: Final = 3.0
"""A probe without a first token by then makes room for the next; its own caller may go on waiting."""

BREAKER_SLOW_S: Final = 20.0
"""No first token by then counts as a failure, even if the caller gives up: above the 2 to 15 s of loading a model."""

# -- performance -------------------------------------------------------------------------------------------------------

PERFORMANCE_DECAY_S: Final = 10.0
"""After so long a peak counts a third: a server that was slow once is tried again within half a minute."""

PERFORMANCE_FORGET_S: Final = 600.0
"""What is usual at an endpoint is believed so long, fading: by then its load, or its machine, may be another."""

PERFORMANCE_FORGIVE_S: Final = 30.0
"""After so long without a call, failures count a third: the next minute may try again, at the price of one call."""

PERFORMANCE_OUTLIER: Final = 4.0
PERFORMANCE_OUTLIER_FROM_S: Final = 0.1
"""A value so many times the usual one counts as that many in what is usual, and nothing below a tenth of a second is odd."""

PERFORMANCE_WEIGHT: Final = 0.1
"""What the newest call counts in shares and rates: some twenty calls are remembered."""

PERFORMANCE_SAMPLES: Final = 64
"""Times to the first token that are kept, for their 95th percentile; older ones were another load."""

LATE_TIMES: Final = 10.0
LATE_FLOOR_S: Final = 3.0
"""A first token that takes ten times as long as 95 of 100, and three seconds at least, is a sign of illness."""

PERFORMANCE_WORST_SHARE: Final = 0.95
"""A higher share of failures than this counts as this one: nobody's cost is infinite."""

# -- balancing, fallback, hedging --------------------------------------------------------------------------------------

UNKNOWN_LATENCY_S: Final = 1.0
"""What each running call of an endpoint that has not answered yet is taken to cost: it is tried, not flooded."""

HALF_OPEN_SHARE: Final = 0.1
"""So many calls of a person try an endpoint that may be back; background calls always do."""

FALLBACK_ATTEMPTS: Final = 3
"""Endpoints that are tried for one call: when three fail, it is the network or the call."""

HEDGE_SHARE: Final = 0.05
HEDGE_BURST: Final = 5.0
"""At most so many calls are asked of a second endpoint, over time and at once: if all are slow, twice the load is no help.
As many at once as open a breaker: when one endpoint hangs, they show it."""

HEDGE_MARGIN: Final = 1.25
"""Times the 95th percentile: without a margin an endpoint in its usual health is late five times of a hundred."""

HEDGE_FLOOR_S: Final = 0.15
HEDGE_BOUND_S: Final = 2.0
"""The second is asked no sooner, for it could not win by much, and no later, for by then the text has changed."""

HEDGE_SAMPLES: Final = 10
"""An endpoint with fewer answers than this has no 95th percentile; its bound counts."""

# -- metering ----------------------------------------------------------------------------------------------------------

CHARS_PER_TOKEN: Final = 3.6
"""Where a server tells no usage: the mean over source files and English with today's vocabularies is 3.3 to 4.5."""

BYTES_PER_TOKEN: Final = 3.0
"""The same for text beyond ASCII, by its UTF-8: an ideograph has three bytes and about one token."""

# -- warming -----------------------------------------------------------------------------------------------------------

UNLOADED_S: Final = 300.0
KEEP_ALIVE_S: Final = 240.0
"""Servers unload a model that was idle for five minutes (Ollama's default); a look every four leaves a minute to spare."""

KEEP_ALIVE_IDLE_S: Final = 1_800.0
"""Nobody has asked for half an hour: the model's memory is worth more to others than a quick first answer."""

WARM_TIMEOUT_S: Final = 120.0
"""A warm-up may load a model from a slow disk; longer than this, something is wrong, and the first call will say so."""
