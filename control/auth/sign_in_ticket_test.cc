#include "control/auth/sign_in_ticket.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

struct Desk {
  FakeClock clock;
  std::unique_ptr<SignInTickets> tickets = *SignInTickets::Create();

  SignInTicket Make(const std::string& path = "/") {
    auto made = tickets->Make(path, clock.Now());
    REQUIRE_OK(made);
    return *std::move(made);
  }
  std::string Refusal(const std::string& text) { return Reason(tickets->Open(text, clock.Now()).status()); }
};

}  // namespace

TEST_CASE("a ticket opens to what it was made with, and no two have anything in common") {
  Desk desk;
  const SignInTicket made = desk.Make("/#p=a&q=b");
  auto opened = desk.tickets->Open(made.text.Reveal(), desk.clock.Now());
  REQUIRE_OK(opened);
  CHECK(opened->state == made.state);
  CHECK(opened->nonce == made.nonce);
  CHECK(opened->verifier.Reveal() == made.verifier.Reveal());
  CHECK(opened->return_path == "/#p=a&q=b");
  const SignInTicket other = desk.Make("/#p=a&q=b");
  const std::set<std::string> all = {made.state,  made.nonce,  made.verifier.Reveal(),  made.text.Reveal(),
                                     other.state, other.nonce, other.verifier.Reveal(), other.text.Reveal()};
  CHECK(all.size() == 8);
  CHECK(made.verifier.Reveal().size() == 43);  // RFC 7636 wants at least that
}

TEST_CASE("a ticket that was changed anywhere, cut, or made by another process is none") {
  Desk desk;
  const std::string text = desk.Make("/x").text.Reveal();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK(desk.Refusal(changed) == "SIGN_IN_NOT_BEGUN");
    CHECK(desk.Refusal(text.substr(0, i)) == "SIGN_IN_NOT_BEGUN");
  }
  CHECK(desk.Refusal(absl::StrCat(text, "AAAA")) == "SIGN_IN_NOT_BEGUN");
  CHECK(desk.Refusal(std::string(100000, 'A')) == "SIGN_IN_NOT_BEGUN");
  Desk other;
  CHECK(other.Refusal(text) == "SIGN_IN_NOT_BEGUN");
}

TEST_CASE("a ticket is good for ten minutes and for one use") {
  Desk desk;
  const SignInTicket ticket = desk.Make();
  desk.clock.Advance(SignInTickets::kLife - absl::Seconds(1));
  CHECK(desk.Refusal(ticket.text.Reveal()).empty());
  CHECK_OK(desk.tickets->Use(ticket, desk.clock.Now()));
  CHECK(Reason(desk.tickets->Use(ticket, desk.clock.Now())) == "SIGN_IN_REPLAYED");
  desk.clock.Advance(absl::Seconds(2));
  CHECK(desk.Refusal(ticket.text.Reveal()) == "SIGN_IN_EXPIRED");
}

TEST_CASE("the used tickets that are kept are bounded, and none is forgotten before it has expired") {
  Desk desk;
  const SignInTicket first = desk.Make();
  CHECK_OK(desk.tickets->Use(first, desk.clock.Now()));
  for (size_t i = 1; i < SignInTickets::kMaxUsed; ++i) {
    const absl::Status used = desk.tickets->Use(desk.Make(), desk.clock.Now());
    if (!used.ok()) FAIL(used.ToString());
  }
  CHECK(Reason(desk.tickets->Use(desk.Make(), desk.clock.Now())) == "SIGN_INS_TOO_MANY");
  CHECK(Reason(desk.tickets->Use(first, desk.clock.Now())) == "SIGN_IN_REPLAYED");
  desk.clock.Advance(SignInTickets::kLife);
  CHECK_OK(desk.tickets->Use(desk.Make(), desk.clock.Now()));
}

}  // namespace chartly::auth
