#include "drone/fetch/link_header.h"

#include "test/support/test.h"

namespace chartly::drone {
namespace {

TEST_CASE("the link of a relation is found however the header is written") {
  for (const char* header :
       {"</n>; rel=next", "</n>;rel=\"next\"", " < /p>; rel=prev , </n> ; title=\"a, b; c\\\" <x>\" ; REL = \"Next\"",
        "</p>; rel=prev, </n>; rel=\"last next\"", ",, </n>; foo; rel=next", "</n>; rel=next; rel=prev, </x>; rel=next",
        "</n>; rel*=UTF-8''x; rel=next"}) {
    INFO(header);
    CHECK(FindLink(header, "next") == "/n");
  }
}

TEST_CASE("what is no such link is not taken for one") {
  for (const char* header : {"", "</n>", "</n>; rel=prev", "</n>; rel=\"nextpage\"", "</n; rel=next", "/n; rel=next",
                             "</n>; rel=\"next", "</n>; rel=prev; rel=next", "garbage, </n>; rel=next"}) {
    INFO(header);
    CHECK(FindLink(header, "next") == std::nullopt);
  }
}

}  // namespace
}  // namespace chartly::drone
