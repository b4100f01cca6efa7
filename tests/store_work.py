"""What the store's tests work with: claims, batches, and threads that all begin at once."""

import hashlib
import threading

from jobchurn.store import Batch

LEASE = 60.0


def claimed(
    store, name="a.csv", content=b"a", *, holder="me", trigger="cli", lease=LEASE, **values
):
    """Claim a file of this name and content."""
    return store.arrivals.claim(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        inode=2**64 - 1,
        trigger=trigger,
        holder=holder,
        lease_seconds=lease,
        **values,
    )


def record_of(**values):
    """A record of the job-change contract, blank where nothing is given."""
    return {
        "enrollee_id": 8949,
        "city": "city_103",
        "city_development_index": 0.92,
        "relevent_experience": "Has relevent experience",
        "training_hours": 36,
    } | values


def batch_of(records=None, **values):
    """A request's predictions: probabilities 0.0, 0.1, … and decisions at one half."""
    records = [record_of()] if records is None else records
    probabilities = [n % 11 / 10 for n in range(len(records))]
    defaults = {
        "records": records,
        "probabilities": probabilities,
        "decisions": [int(probability >= 0.5) for probability in probabilities],
        "source": "webapp",
        "model_version": "lgbm-0123456789ab",
        "policy_version": "miss-cost-2",
    }
    return Batch(**defaults | values)


def at_once(count, work):
    """Call ``work(n)`` in ``count`` threads that begin together; what each returned or raised."""
    results = [None] * count
    start = threading.Barrier(count)

    def run(n):
        start.wait()
        try:
            results[n] = work(n)
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
