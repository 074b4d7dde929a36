// A certificate of its own for each test server: EC P-256, self-signed, for "localhost".
#pragma once

#include <string>

namespace twinpost::testing {

// Writes PEM files; throws std::runtime_error where that fails.
void make_certificate(const std::string& certificate_path, const std::string& key_path);

}  // namespace twinpost::testing
