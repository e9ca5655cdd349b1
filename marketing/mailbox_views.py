"""The Mailbox of a local run: captured mails as their recipients would see them. Its routes exist on no other run."""

import re
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.clickjacking import xframe_options_sameorigin

from accounts.policy import Action
from accounts.requests import may
from marketing import mailbox
from marketing.models import CapturedMail

#: A mail's own styles and our own pictures, nothing else; links open in a tab of their own.
MAIL_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
#: What a reader wants to check first; the rest follows in the mail's own order.
NOTABLE = ("From", "To", "Subject", "Date", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id")


@may(Action.CONTACTS_VIEW)
def inbox(request: HttpRequest) -> HttpResponse:
    mails = Paginator(CapturedMail.objects.order_by("-id").defer("message"), 50)
    return render(request, "marketing/mailbox.html", {"page": mails.get_page(request.GET.get("page"))})


@may(Action.CONTACTS_VIEW)
def mail(request: HttpRequest, mail_id: UUID, side: str = "mail") -> HttpResponse:
    captured = get_object_or_404(CapturedMail, pk=mail_id)
    opened = mailbox.opened(captured)
    headers = sorted(opened.headers, key=lambda pair: NOTABLE.index(pair[0]) if pair[0] in NOTABLE else len(NOTABLE))
    return render(
        request, "marketing/mail.html", {"mail": captured, "opened": opened, "headers": headers, "side": side}
    )


@xframe_options_sameorigin
@may(Action.CONTACTS_VIEW)
def mail_html(request: HttpRequest, mail_id: UUID) -> HttpResponse:
    html = mailbox.opened(get_object_or_404(CapturedMail, pk=mail_id)).html
    base = '<base target="_blank">'
    html = HEAD.sub(lambda head: head[0] + base, html, count=1) if HEAD.search(html) else base + html
    return HttpResponse(html, headers={"Content-Security-Policy": MAIL_CSP})
