"""What is replaced of Faust, and what is leant on in it and its client, is as it was when that was written.

A hash that differs says: read what has changed there, decide whether what stands in its place is still right, then
write the new hash. The hashes are of the code without comments and docstrings.
"""

import ast
import hashlib
import inspect
import textwrap
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.producer import TransactionContext
from aiokafka.producer.sender import Sender
from faust import App
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, ConsumerRebalanceListener, Transport

from streams.kafka.consumer import LaneConsumer, LaneTransport, Listener, Thread
from streams.kafka.worker_app import Ownership, Tables, WorkerApp

REPLACED = {
    (BaseConsumer, "__init__"): "afd9f217bbebb7f0",
    (BaseConsumer, "on_init_dependencies"): "55e65756ebe2304a",
    (BaseConsumer, "_drain_messages"): "3e3742ba998ee65d",
    (BaseConsumer, "ack"): "696ad419439a727b",
    (BaseConsumer, "commit"): "9027f531f66365a8",
    (BaseConsumer, "perform_seek"): "3924f5138882deaf",
    (BaseConsumer, "wait_empty"): "a8a66f11ab15116d",
    (Consumer, "verify_event_path"): "67770280d2b4984f",
    (Consumer, "_new_consumer_thread"): "877e2653465d6a07",
    (AIOKafkaConsumerThread, "_create_worker_consumer"): "23bdff27f6fe9ae5",
    (ConsumerRebalanceListener, "on_partitions_revoked"): "61680aeb8c58c7aa",
    (Recovery, "_restart_recovery"): "3ba9ce22ae2dd2a9",
    (Recovery, "_slurp_changelogs"): "37b7821eba6e4d7b",
    (TableManager, "recovery"): "23be9f9a1ec88eb2",
    (App, "_new_transport"): "803c06c130b43026",
}
"""What a class of ours has in its place."""
LEANT_ON = {
    (BaseConsumer, "on_stop"): "af9f72a7904990eb",
    (BaseConsumer, "on_partitions_revoked"): "0121e6f87312cee7",
    (BaseConsumer, "on_partitions_assigned"): "f7bd80aa976acc66",
    (BaseConsumer, "_commit_handler"): "32f7511c5ab2def5",
    (FaustFetcher, "_fetcher"): "62e27ab02f281e2b",
    (ThreadDelegateConsumer, "threadsafe_partitions_revoked"): "bfd9742cd7c42a80",
    (ConsumerRebalanceListener, "on_partitions_assigned"): "6e6769a136d3dc70",
    (AIOKafkaConsumerThread, "_ensure_consumer"): "b918114cfae10c6b",
    (Recovery, "on_rebalance"): "99b5074ff42c58f9",
    (Recovery, "_resume_streams"): "04f8e58689ebf63c",
    (TableManager, "on_start"): "614d08ea6b88ccd2",
    (TableManager, "_update_channels"): "1501856bb63b2962",
    (App, "_on_partitions_revoked"): "b4276728e7942cc4",
    (App, "_on_partitions_assigned"): "2857f8108fbdbaed",
    (App, "_stop_consumer"): "d5ad74f5ac05a30f",
    (App, "on_rebalance_start"): "d3d38541bcc79dea",
    (Conductor, "_update_tp_index"): "7f5d4d6f84ff8253",
    (PartitionAssignor, "_perform_assignment"): "0e38d84c9eaed49c",
    (PartitionAssignor, "assigned_standbys"): "08319474a38b6c10",
    (CopartitionedAssignor, "_assign_round_robin"): "d2e1146be2ea0c34",
    (GroupCoordinator, "_do_heartbeat"): "23532681d8d1742c",
    (GroupCoordinator, "reset_generation"): "e545891b19b17f79",
    (AIOKafkaConsumer, "getmany"): "23e789b093fb6885",
    (AIOKafkaConsumer, "seek_to_beginning"): "40fd8bca058db8a9",
    (Assignment, "state_value"): "fe056725fd2e5fab",
    (Fetcher, "_proc_offset_request"): "c6728de6b67205d7",
    (FetchResult, "getall"): "dab3256df06c4c03",
    (PartitionRecords, "_unpack_records"): "199c30888a423c7b",
    (MessageAccumulator, "add_batch"): "864b01aea8fec9c1",
    (TransactionContext, "__aexit__"): "13bb69c7d430edfa",
    (Sender, "_sender_routine"): "005c5ad0126cc774",
}
"""What is called though it is private, or what the laws of the engine rest on."""


def _code(of: type, name: str) -> Any:
    """A function, out of a property or a task of a service."""
    found: Any = inspect.getattr_static(of, name)
    found = found.fget if isinstance(found, property) else found
    return getattr(found, "fun", found)


def _hash(of: type, name: str) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(_code(of, name))))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0] = ast.Pass()
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


@pytest.mark.parametrize(("of", "name"), [*REPLACED, *LEANT_ON], ids=lambda part: getattr(part, "__name__", part))
def test_upstream_is_as_it_was(of: type, name: str) -> None:
    assert _hash(of, name) == {**REPLACED, **LEANT_ON}[of, name]


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka").startswith("0.14.")


OURS = (LaneConsumer, LaneTransport, Listener, Thread, Ownership, Tables, WorkerApp)


@pytest.mark.parametrize("ours", OURS)
def test_everything_that_is_replaced_is_listed(ours: type) -> None:
    """A method of ours that a base has too replaces it; settings of a class are no code."""
    bases = [base for base in ours.__mro__[1:] if base.__module__.startswith(("faust", "aiokafka", "mode"))]
    replaced = {name for name in vars(ours) if any(name in vars(base) for base in bases)}
    code = {name for name in replaced if callable(_code(ours, name)) and not isinstance(_code(ours, name), type)}
    listed = {name for of, name in REPLACED if issubclass(ours, of)}
    assert code - {"__init_subclass__", "__subclasshook__"} <= listed


def test_the_transport_is_one_of_kafka() -> None:
    assert issubclass(LaneTransport, Transport)
    assert LaneTransport.Consumer is LaneConsumer
