#include "common/state/state_page.h"

#include "common/state/state_store_battery.h"

namespace chartly {

using testing::PutOne;
using testing::TempDir;

struct PageFixture {
  TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store = OpenEmbeddedStateStore(dir.File("s"), clock).value();

  std::vector<std::string> All(StatePageQuery query, size_t* pages = nullptr) {
    std::vector<std::string> keys;
    do {
      auto page = ReadPage(*store, query);
      REQUIRE_OK(page);
      for (const StateEntry& entry : page->entries) keys.push_back(entry.key);
      query.page_token = page->next_page_token;
      if (pages != nullptr) ++*pages;
    } while (!query.page_token.empty());
    return keys;
  }
};

TEST_CASE("pages hold every entry once, whatever their size and direction") {
  PageFixture fixture;
  StateTransaction fill;
  std::vector<std::string> keys;
  for (int i = 100; i < 200; ++i) {
    keys.push_back(absl::StrCat("p/", i));
    fill.puts.push_back({keys.back(), "v"});
  }
  fill.puts.push_back({"q/1", "other"});
  REQUIRE_OK(fixture.store->Commit(fill));
  int32_t size = GENERATE(1, 7, 31, 32, 33, 50, 100, 5000);
  size_t pages = 0;
  CHECK(fixture.All({"p/", size}, &pages) == keys);
  CHECK(pages == (keys.size() + size - 1) / size);
  CHECK(fixture.All({"p/", size, "", true}) == std::vector<std::string>(keys.rbegin(), keys.rend()));
}

TEST_CASE("what a page leaves out is in no page, and no token tells of it") {
  PageFixture fixture;
  StateTransaction fill;
  std::vector<std::string> taken;
  for (int i = 100; i < 300; ++i) {
    fill.puts.push_back({absl::StrCat("p/", i), i % 7 == 0 ? "mine" : "theirs"});
    if (i % 7 == 0) taken.push_back(fill.puts.back().key);
  }
  REQUIRE_OK(fixture.store->Commit(fill));
  StatePageQuery query{"p/", GENERATE(1, 3, 28, 29, 100)};
  query.takes = [](const StateEntry& entry) { return entry.value == "mine"; };
  size_t pages = 0;
  CHECK(fixture.All(query, &pages) == taken);
  CHECK(pages == (taken.size() + query.page_size - 1) / query.page_size);
  StateTransaction leave;
  for (int i = 100; i < 300; ++i) {
    if (i % 7 != 0) leave.deletes.push_back(absl::StrCat("p/", i));
  }
  const auto before = ReadPage(*fixture.store, query);
  REQUIRE_OK(before);
  REQUIRE_OK(fixture.store->Commit(leave));
  CHECK(ReadPage(*fixture.store, query)->next_page_token == before->next_page_token);
}

TEST_CASE("a page goes on after its last key though that key is gone") {
  PageFixture fixture;
  for (const char* key : {"p/a", "p/b", "p/c", "p/d"}) PutOne(*fixture.store, key, "v");
  auto page = ReadPage(*fixture.store, {"p/", 2});
  REQUIRE_OK(page);
  testing::DeleteOne(*fixture.store, "p/b");
  PutOne(*fixture.store, "p/aa", "v");
  CHECK(fixture.All({"p/", 2, page->next_page_token}) == std::vector<std::string>{"p/c", "p/d"});
}

TEST_CASE("a page of large values ends before it passes the size of a message") {
  PageFixture fixture;
  for (int i = 0; i < 5; ++i) PutOne(*fixture.store, absl::StrCat("p/", i), std::string(3 << 20, 'x'));
  size_t pages = 0;
  CHECK(fixture.All({"p/"}, &pages).size() == 5);
  CHECK(pages == 5);
}

TEST_CASE("a foreign token and a negative size are refused") {
  PageFixture fixture;
  for (const char* key : {"p/a", "p/b", "q/a", "q/b"}) PutOne(*fixture.store, key, "v");
  std::string token = ReadPage(*fixture.store, {"p/", 1})->next_page_token;
  REQUIRE_FALSE(token.empty());
  CHECK(Reason(ReadPage(*fixture.store, {"q/", 1, token}).status()) == "PAGE_TOKEN_INVALID");
  CHECK(Reason(ReadPage(*fixture.store, {"p/", 1, token, true}).status()) == "PAGE_TOKEN_INVALID");
  CHECK(Reason(ReadPage(*fixture.store, {"p/", 1, "rubbish"}).status()) == "PAGE_TOKEN_INVALID");
  CHECK(Reason(ReadPage(*fixture.store, {"p/", -1}).status()) == "PAGE_SIZE_INVALID");
}

}  // namespace chartly
