from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """Pages by cursor: the cost of page 10,000 is that of page one."""

    ordering = "-pk"
    page_size_query_param = "page_size"
    max_page_size = 1000
