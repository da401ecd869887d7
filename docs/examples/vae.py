import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(1)
n = 256
bar = F.one_hot(torch.multinomial(torch.ones(4), n, replacement=True), 4).float()
images = bar.unsqueeze(2).expand(n, 4, 4).reshape(n, 16)

encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
decoder = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 16))
adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
for step in range(400):
    adam.zero_grad()
    mean, log_var = encoder(images).split(2, 1)
    z = mean + (0.5 * log_var).exp() * torch.randn(n, 2)
    divergence = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum() / n
    loss = 16 * F.binary_cross_entropy_with_logits(decoder(z), images) + divergence
    loss.backward()
    adam.step()
print(f"{loss:.2f} nats an image")
