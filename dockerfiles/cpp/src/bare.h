// The runtime in a loop, without LoadGen: the yardstick for the harness. Same model, samples, threads and
// batch.
#pragma once

#include <string>

namespace sut {

// Runs every lane's runner for some seconds over batches of neighbouring samples; the figures as JSON or as
// lines.
std::string bare_loop(const std::string& harness_path, double seconds, bool json);

}  // namespace sut
