"""What drawn journeys name: made once for many worlds."""

from consent.models import Topic
from contacts.models import Kind
from core.sensitivity import Sensitivity
from delivery.models import Origin, SendBatch, SmtpSession
from segments.models import Segment
from tests.content.factories import organization
from tests.delivery.factories import RelayFactory, make_origin
from tests.workflows import factories as make
from tests.workflows.drawn import EVENTS, HOME, START
from tests.workflows.wall import Json
from workflows import happenings
from workflows.models import Endpoint, EventType


class Setting:
    """What journeys name, made once; and one journey nobody is on, for which all changes asked for are kept."""

    def __init__(self) -> None:
        organization(time_zone=HOME)
        RelayFactory()
        for key, kind in (("plan", Kind.TEXT), ("mark", Kind.TEXT), ("day", Kind.DATE), ("moment", Kind.DATETIME)):
            make.AttributeFactory(key=key, kind=kind, sensitivity=Sensitivity.IDENTITY)
        for name in EVENTS:
            EventType.objects.create(
                name=name,
                name_index=happenings.name_index(name),
                sensitivity=Sensitivity.IDENTITY,
                properties={"place": "text", "when": "date"},
            )
        self.topics: list[Topic] = [make.TopicFactory(requires_opt_in=False) for _ in range(2)]
        self.template = make.TemplateFactory(html="<p>Hello</p><p>{{ organization.postal_address }}</p>" + UNSUBSCRIBE)
        self.sender = make.SenderFactory()
        self.endpoint_id = str(Endpoint.objects.create(name="EHR", url="https://ehr.example.org", secret="s" * 40).pk)
        self.list_id = str(make.SegmentFactory(kind=Segment.Kind.SNAPSHOT, tier=Sensitivity.IDENTITY).pk)
        ears = make.linear(
            *({"kind": "wait_event", "attribute": key, "timeout": {"days": 1}} for key in ("plan", "mark"))
        )
        for step in ears["steps"].values():
            step["exits"] = {"happened": step["exits"].get("next"), "timeout": None}
        make.make_workflow(ears)
        self.topic_ids = [str(topic.pk) for topic in self.topics]
        self.mailings = [Mailing() for _ in range(2)]
        self.mailing_ids = [str(mailing.origin.pk) for mailing in self.mailings]
        self.session = SmtpSession.objects.create(
            relay_id=make.RelayFactory().pk, host="mx.example.org", address="192.0.2.1", tls_version="TLSv1.3",
            cipher="x", certificate_sha256="0" * 64, basis="webpki", started_at=START,
        )  # fmt: skip
        #: Those of one world.
        self.segment_id = self.inner_id = ""
        self.inner_listens = False

    def mail(self, topic: int) -> Json:
        chosen = {"template": self.template, "sender": self.sender, "topic": self.topics[topic]}
        return make.mail(**chosen, track_opens=True, track_clicks=True)


class Mailing:
    """A campaign that was sent."""

    def __init__(self) -> None:
        self.origin = make_origin(kind=Origin.Kind.CAMPAIGN)
        common = {"stream": self.origin.stream, "contact_ids": [], "due_at": START, "done_at": START}
        self.batch = SendBatch.objects.create(origin=self.origin, **common)


UNSUBSCRIBE = "<a href='{{ unsubscribe_url }}'>Stop</a>"
