#include "common/status/status.h"

#include "test/support/test.h"

namespace chartly {

TEST_CASE("an annotated error keeps its code, reason and details") {
  absl::Status inner = Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", "no profile x", {{"profile", "x"}});
  absl::Status outer = Annotate(inner, "start run");
  CHECK(outer.code() == absl::StatusCode::kNotFound);
  CHECK(outer.message() == "start run: no profile x");
  CHECK(Reason(outer) == "PROFILE_NOT_FOUND");
  CHECK(Details(outer).at("profile") == "x");
}

TEST_CASE("an error made of any bytes can be sent and read again") {
  absl::Status error =
      Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_JSON", "found \xff\xfe", {{"at", "\xc3"}});
  error = Annotate(error, "page \x80");
  CHECK(error.message() == "page \uFFFD: found \uFFFD\uFFFD");
  CHECK(Reason(error) == "PAYLOAD_NOT_JSON");
  CHECK(Details(error).at("at") == "\uFFFD");
}

TEST_CASE("OK stays OK when annotated, and a plain status has no reason") {
  CHECK(Annotate(absl::OkStatus(), "anything").ok());
  CHECK(Reason(absl::InternalError("boom")).empty());
}

TEST_CASE("error info survives a trip as bytes") {
  absl::Status sent = Error(absl::StatusCode::kAborted, "STATE_CONFLICT", "changed meanwhile", {{"key", "a"}});
  absl::Status received(sent.code(), sent.message());
  AttachErrorInfo(received, ErrorInfoBytes(sent));
  CHECK(Reason(received) == "STATE_CONFLICT");
  CHECK(Details(received).at("key") == "a");
}

}  // namespace chartly
