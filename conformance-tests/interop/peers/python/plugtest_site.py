"""The resources the ETSI CoAP plugtest descriptions ask a server for, on aiocoap."""

import asyncio
import hashlib

import aiocoap
from aiocoap import Code, Message, resource
from aiocoap.numbers.constants import TransportTuning

TEXT, LINK_FORMAT, XML = 0, 40, 41
ECHO = b"echo-value"
LARGE = bytes(0x61 + i % 26 for i in range(1700))
#: Longer than aiocoap waits before it acknowledges without a response (0.1 s).
SEPARATE_SECONDS = 0.6


class Impatient(TransportTuning):
    """So that a client that is off is given up after six seconds instead of 93."""

    ACK_TIMEOUT = 0.2
    ACK_RANDOM_FACTOR = 1.0


def content(payload, content_format=TEXT, code=Code.CONTENT):
    return Message(code=code, payload=payload, content_format=content_format)


def sliced(answer, wanted):
    """The block that was asked for, the first one without a wish."""
    number, size_exponent = (wanted.block_number, wanted.size_exponent) if wanted else (0, 6)
    if number == 0 and len(answer.payload) <= 2 ** (size_exponent + 4):
        return answer
    block = answer._extract_block(number, size_exponent, 1024)
    block.transport_tuning = answer.transport_tuning
    return block


class Described:
    """Link attributes of a resource, as given."""

    def __init__(self, attributes=None, **kwargs):
        super().__init__(**kwargs)
        self.attributes = attributes or {}

    def get_link_description(self):
        return self.attributes


class Fixed(Described, resource.Resource):
    """Answers with what a function makes of the request; one function per method."""

    def __init__(self, methods, attributes=None):
        super().__init__(attributes)
        self.methods = methods

    async def render(self, request):
        method = self.methods.get(request.code)
        if method is None:
            raise aiocoap.error.UnallowedMethod()
        answer = method(request)
        return await answer if asyncio.iscoroutine(answer) else answer


class Stored(Described, resource.ObservableResource):
    """A body with an ETag, preconditions and observers."""

    def __init__(self, body=None, attributes=None):
        super().__init__(attributes)
        self.body = body

    def tag(self):
        return hashlib.sha256(self.body).digest()[:4]

    async def needs_blockwise_assembly(self, request):
        # aiocoap slices every response but notifications, whose later blocks it then does not know: here all of them are sliced.
        return request.code != Code.GET

    async def render_get(self, request):
        if self.body is None:
            raise aiocoap.error.NotFound()
        if self.tag() in request.opt.etags:
            return Message(code=Code.VALID, etag=self.tag())
        return sliced(self.answer(), request.opt.block2)

    def answer(self):
        answer = content(self.body)
        answer.opt.etag = self.tag()
        answer.opt.max_age = 5
        answer.transport_tuning = Impatient()
        return answer

    async def render_put(self, request):
        existed = self.body is not None
        matches = [tag == b"" or tag == self.tag() for tag in request.opt.if_match] if existed else []
        if (request.opt.if_match and not any(matches)) or (request.opt.if_none_match and existed):
            return Message(code=Code.PRECONDITION_FAILED)
        self.change(request.payload)
        return Message(code=Code.CHANGED if existed else Code.CREATED)

    async def render_delete(self, request):
        self.body = None
        self.end(Code.NOT_FOUND)
        return Message(code=Code.DELETED)

    def change(self, body):
        self.body = body
        for observation in list(self._observations):
            observation.trigger(sliced(self.answer(), None))

    def end(self, code):
        for observation in list(self._observations):
            observation.trigger(Message(code=code), is_last=True)

    def observers(self):
        return len(self._observations)


def proved(request):
    """Answers only who repeats an Echo value (RFC 9175 section 2.3)."""
    if request.opt.echo == ECHO:
        return content(b"proved")
    return Message(code=Code.UNAUTHORIZED, echo=ECHO)


class LargeCreate(Fixed):
    def __init__(self, site):
        super().__init__({Code.POST: self.create})
        self.site = site

    def create(self, request):
        self.site.add_resource(["large-create", "1"], Stored(request.payload))
        return Message(code=Code.CREATED, location_path=("large-create", "1"))


async def separate(_request):
    await asyncio.sleep(SEPARATE_SECONDS)
    return content(b"separate")


def in_format(request):
    if request.opt.accept in (None, TEXT):
        return content(b"v")
    return content(b"<v/>", XML) if request.opt.accept == XML else Message(code=Code.NOT_ACCEPTABLE)


def fixed(payload, content_format=TEXT, **attributes):
    return Fixed({Code.GET: lambda _: content(payload, content_format)}, attributes)


def plugtest_site():
    site = resource.Site()
    test = {
        Code.GET: lambda _: content(b"test"),
        Code.PUT: lambda _: Message(code=Code.CHANGED),
        Code.DELETE: lambda _: Message(code=Code.DELETED),
        Code.POST: lambda _: Message(code=Code.CREATED, location_path=("location1", "location2", "location3")),
    }
    location = lambda _: Message(code=Code.CREATED, location_query=("first=1", "second=2"))
    query = lambda request: content("&".join(request.opt.uri_query).encode())
    post = lambda _: content(LARGE, code=Code.CHANGED)
    entries = {
        "test": Fixed(test, {"rt": "test", "ct": "0"}),
        "link1": fixed(b"1", rt="Type1 Type2", **{"if": "If1"}),
        "link2": fixed(b"2", rt="Type2 Type3", **{"if": "If2"}),
        "link3": fixed(b"3", rt="Type1 Type3", **{"if": "foo"}),
        "separate": Fixed({Code.GET: separate}),
        "seg1/seg2/seg3": fixed(b"/seg1/seg2/seg3"),
        "query": Fixed({Code.GET: query}),
        "proved": Fixed({Code.GET: proved}),
        "location-query": Fixed({Code.POST: location}),
        "multi-format": Fixed({Code.GET: in_format}),
        "large": fixed(LARGE, sz=str(len(LARGE))),
        "large-post": Fixed({Code.POST: post}),
        "large-create": LargeCreate(site),
        "path": fixed(b"</path/sub1>,</path/sub2>", LINK_FORMAT, ct="40"),
        "path/sub1": fixed(b"/path/sub1"),
        "path/sub2": fixed(b"/path/sub2"),
        "validate": Stored(b"first"),
        "create1": Stored(),
        "large-update": Stored(),
        "obs": Stored(b"0", {"obs": None}),
        "obs-non": Stored(b"0", {"obs": None}),
        "obs-large": Stored(LARGE, {"obs": None}),
    }
    for path, entry in entries.items():
        site.add_resource(path.split("/"), entry)
    core = resource.WKCResource(site.get_resources_as_linkheader, impl_info=None)
    site.add_resource([".well-known", "core"], core)
    return site, entries
